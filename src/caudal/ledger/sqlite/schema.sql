-- The whole schema as it is today, and until the first release the only place where it stands. After that, scripts in
-- migrations/ lead to it from every released version.
-- Ids are sixteen bytes that sort by time, times are seconds since the epoch in UTC, fields that hold JSON are text, null when there is nothing.

-- The truth. Everything up to run_input is a projection of it.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- a cursor never meets a number twice, whatever is deleted
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    flow_run_id BLOB,
    task_run_id BLOB,
    payload TEXT NOT NULL
);

CREATE INDEX event_by_flow_run ON event (flow_run_id);

CREATE TABLE flow_run (
    id BLOB PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    flow_name TEXT NOT NULL,
    state_type TEXT NOT NULL CHECK (state_type IN (
        'SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED', 'PAUSED', 'CANCELLING'
    )),
    state_name TEXT NOT NULL,
    state_at REAL NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    run_count INTEGER NOT NULL,
    parent_flow_run_id BLOB,
    parent_task_run_id BLOB,
    owner BLOB,
    attempt INTEGER NOT NULL,
    task_count INTEGER NOT NULL,
    task_completed INTEGER NOT NULL,
    task_failed INTEGER NOT NULL,
    task_running INTEGER NOT NULL,
    durable_key TEXT,
    parameters TEXT NOT NULL,
    tags TEXT NOT NULL,
    details TEXT NOT NULL
);

CREATE INDEX flow_run_by_name ON flow_run (name, id);
CREATE INDEX flow_run_by_flow ON flow_run (flow_name, id);
CREATE INDEX flow_run_by_durable_key ON flow_run (durable_key, id)
    WHERE durable_key IS NOT NULL AND state_type NOT IN ('COMPLETED', 'FAILED', 'CANCELLED');
CREATE INDEX flow_run_by_state ON flow_run (state_type, id);
CREATE INDEX flow_run_by_state_name ON flow_run (state_name, id);
CREATE INDEX flow_run_by_start ON flow_run (started_at, id);
CREATE INDEX flow_run_by_parent ON flow_run (parent_flow_run_id, id) WHERE parent_flow_run_id IS NOT NULL;
CREATE INDEX flow_run_in_hand ON flow_run (id) WHERE owner IS NOT NULL AND ended_at IS NULL;
CREATE INDEX flow_run_asked ON flow_run (owner) WHERE owner IS NOT NULL AND state_type IN ('CANCELLING', 'PAUSED');

-- Most task runs complete, so the indexes by state leave those out: nobody looks for them that way, and the hot path saves them.
CREATE TABLE task_run (
    id BLOB PRIMARY KEY NOT NULL,
    flow_run_id BLOB,
    name TEXT NOT NULL,
    task_name TEXT NOT NULL,
    path TEXT NOT NULL,
    -- The test for COMPLETED saves a search of the list, which is a third of what the row costs.
    state_type TEXT NOT NULL CHECK (state_type = 'COMPLETED' OR state_type IN (
        'SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED', 'PAUSED', 'CANCELLING'
    )),
    state_name TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    run_count INTEGER NOT NULL,
    details TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX task_run_by_state ON task_run (state_type, id) WHERE state_type <> 'COMPLETED';
CREATE INDEX task_run_by_state_name ON task_run (state_name, id) WHERE state_name <> 'Completed';
CREATE INDEX task_run_by_flow_run_and_state ON task_run (flow_run_id, state_type, id) WHERE state_type <> 'COMPLETED';

CREATE TABLE check_result (
    seq INTEGER PRIMARY KEY,  -- of its event
    at REAL NOT NULL,
    flow_run_id BLOB,
    task_run_id BLOB,
    payload TEXT NOT NULL
);

CREATE INDEX check_result_by_flow_run ON check_result (flow_run_id);

-- Artifacts, variables, blocks and materialisations of assets: what is kept beside the runs.
CREATE TABLE document (
    id BLOB PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('artifact', 'variable', 'block', 'asset')),
    type TEXT NOT NULL,
    key TEXT,
    description TEXT,
    data TEXT NOT NULL,
    tags TEXT NOT NULL,
    flow_run_id BLOB,
    task_run_id BLOB,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
);

CREATE INDEX document_by_kind ON document (kind, id);
CREATE INDEX document_by_key ON document (kind, key, id);
CREATE UNIQUE INDEX document_by_name ON document (kind, type, key) WHERE kind IN ('variable', 'block');
CREATE INDEX document_by_flow_run ON document (flow_run_id, id) WHERE flow_run_id IS NOT NULL;
CREATE INDEX document_by_task_run ON document (task_run_id, id) WHERE task_run_id IS NOT NULL;

CREATE TABLE run_input (
    seq INTEGER PRIMARY KEY,  -- of its event
    flow_run_id BLOB NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    sender TEXT,
    at REAL NOT NULL
);

CREATE UNIQUE INDEX run_input_by_key ON run_input (flow_run_id, key);
CREATE INDEX run_input_by_flow_run ON run_input (flow_run_id);

CREATE TABLE log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    level INTEGER NOT NULL,
    logger TEXT NOT NULL,
    message TEXT NOT NULL,
    flow_run_id BLOB,
    task_run_id BLOB,
    extra TEXT NOT NULL
);

CREATE INDEX log_by_flow_run ON log (flow_run_id);
CREATE INDEX log_by_task_run ON log (task_run_id) WHERE task_run_id IS NOT NULL;

CREATE TABLE result (
    key TEXT PRIMARY KEY NOT NULL,
    serializer TEXT NOT NULL,
    type_name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    inline BLOB,
    location TEXT,
    created_at REAL NOT NULL,
    expires_at REAL
);

CREATE TABLE lease (
    owner BLOB PRIMARY KEY NOT NULL,
    expires_at REAL NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started TEXT NOT NULL
);

-- The last batch of each process, so that one whose fate its writer does not know can be given again.
CREATE TABLE writer (
    id BLOB PRIMARY KEY NOT NULL,
    batch INTEGER NOT NULL,
    at REAL NOT NULL,
    refused TEXT
) WITHOUT ROWID;

CREATE TABLE concurrency_limit (
    name TEXT PRIMARY KEY NOT NULL,
    slots INTEGER NOT NULL,
    active INTEGER NOT NULL,
    slot_decay_per_second REAL NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    used REAL NOT NULL,
    used_at REAL NOT NULL
);

-- The occupancy of a limit is the rows here whose owner's lease lives; there is no counter.
CREATE TABLE limit_holder (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    slots INTEGER NOT NULL,
    owner BLOB NOT NULL,
    run_id BLOB,
    label TEXT NOT NULL,
    acquired_at REAL NOT NULL,
    PRIMARY KEY (id, name)
);

CREATE INDEX limit_holder_by_name ON limit_holder (name);
