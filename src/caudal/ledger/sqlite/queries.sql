-- add_events --
-- In the order of the rows, which is the order of their seq.
INSERT INTO event (at, kind, flow_run_id, task_run_id, payload)
SELECT * FROM (VALUES (?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- put_flow_runs --
-- Writes whole rows; the caller has read them in the same transaction.
INSERT OR REPLACE INTO flow_run (
    id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- put_task_runs --
-- The hot path: a task run that has ended when it is first written costs this one row.
INSERT OR REPLACE INTO task_run (
    id, flow_run_id, name, task_name, path, state_type, state_name, created_at, started_at, ended_at, run_count, details
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- add_counts --
-- Adds to the task counts of flow runs whose row is not written whole.
UPDATE flow_run SET
    task_count = task_count + change.column2,
    task_completed = task_completed + change.column3,
    task_failed = task_failed + change.column4,
    task_running = task_running + change.column5
FROM (VALUES (?, ?, ?, ?, ?)) AS change WHERE flow_run.id = change.column1

-- add_logs --
-- In the order of the rows, which is the order of their seq.
INSERT INTO log (at, level, logger, message, flow_run_id, task_run_id, extra)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- add_checks --
-- The projection of check events, kept when old events are deleted.
INSERT INTO check_result (seq, at, flow_run_id, task_run_id, payload)
SELECT * FROM (VALUES (?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- put_documents --
-- Writes whole rows; the caller has read them in the same transaction.
INSERT OR REPLACE INTO document (
    id, kind, type, key, description, data, tags, flow_run_id, task_run_id, created_at, updated_at
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- delete_documents --
-- Their events stay.
DELETE FROM document WHERE id IN (VALUES (?))

-- documents_by_id --
-- The documents that a batch changes.
SELECT id, kind, type, key, description, data, tags, flow_run_id, task_run_id, created_at, updated_at
FROM document WHERE id IN (VALUES (?))

-- document_by_name --
-- The one variable or block of a name.
SELECT id, kind, type, key, description, data, tags, flow_run_id, task_run_id, created_at, updated_at
FROM document WHERE kind IN ('variable', 'block') AND kind = ? AND type = ? AND key = ?

-- documents --
-- A page of documents, newest first; documents.py puts the conditions in.
SELECT id, kind, type, key, description, data, tags, flow_run_id, task_run_id, created_at, updated_at
FROM document WHERE {where} ORDER BY id DESC LIMIT ?

-- latest_documents --
-- The newest document of each key: jumps from key to key in the index, over the documents that share one.
WITH RECURSIVE found (key, number) AS (
    SELECT (SELECT min(key) FROM document WHERE kind = ? AND key > ?), 1
    UNION ALL
    SELECT (SELECT min(document.key) FROM document WHERE kind = ? AND document.key > found.key), number + 1
    FROM found WHERE found.key IS NOT NULL AND number < ?
)
SELECT
    document.id, kind, type, document.key, description, data, tags, flow_run_id, task_run_id, created_at, updated_at
FROM found
JOIN document ON document.id = (
    SELECT max(newest.id) FROM document AS newest WHERE newest.kind = ? AND newest.key = found.key
)
ORDER BY number

-- put_results --
-- The last one written under a key is the one that counts.
INSERT OR REPLACE INTO result (
    key, serializer, type_name, sha256, size_bytes, inline, location, created_at, expires_at
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- fences --
-- Who owns the flow runs that a batch names.
SELECT id, owner, attempt FROM flow_run WHERE id IN (VALUES (?))

-- flow_runs_by_id --
-- The flow runs that a batch changes.
SELECT
    id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
FROM flow_run WHERE id IN (VALUES (?))

-- last_seq --
-- Where the sequence ends, events that were deleted included.
SELECT seq FROM sqlite_sequence WHERE name = 'event'

-- put_lease --
-- One row for each process.
INSERT OR REPLACE INTO lease (owner, expires_at, host, pid, started) VALUES (?, ?, ?, ?, ?)

-- delete_lease --
-- The process ended in good order.
DELETE FROM lease WHERE owner = ?

-- leases --
-- There are as many as processes, so nothing is left out.
SELECT owner, expires_at, host, pid, started FROM lease ORDER BY owner

-- lease --
-- Of the process that owns a flow run.
SELECT owner, expires_at, host, pid, started FROM lease WHERE owner = ?

-- delete_idle_leases --
-- Leases that ran out and that no open flow run names.
DELETE FROM lease WHERE expires_at <= ? AND owner NOT IN (
    SELECT owner FROM flow_run WHERE owner IS NOT NULL AND ended_at IS NULL
)

-- put_writer --
-- Changes nothing when the batch, or a later one, is written.
INSERT INTO writer (id, batch, at) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at, refused = NULL
WHERE excluded.batch > writer.batch

-- put_refused --
-- What was refused of the writer's last batch.
UPDATE writer SET refused = ? WHERE id = ?

-- writer --
-- What was refused of its last batch.
SELECT refused FROM writer WHERE id = ?

-- delete_writer --
-- The process ended in good order.
DELETE FROM writer WHERE id = ?

-- delete_writers --
-- Nobody gives a batch of long ago again.
DELETE FROM writer WHERE at < ?

-- flow_runs_in_hand --
-- Open flow runs with an owner: what a sweep looks at.
SELECT
    id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
FROM flow_run WHERE owner IS NOT NULL AND ended_at IS NULL ORDER BY id

-- flow_run --
-- A flow run that somebody asks something of.
SELECT
    id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
FROM flow_run WHERE id = ?

-- put_input --
-- One of each key; the last one given is the one that counts.
INSERT OR REPLACE INTO run_input (seq, flow_run_id, key, value, sender, at) VALUES (?, ?, ?, ?, ?, ?)

-- delete_input --
-- It was taken away.
DELETE FROM run_input WHERE flow_run_id = ? AND key = ?

-- input --
-- What a run was given under a key.
SELECT seq, flow_run_id, key, value, sender, at FROM run_input WHERE flow_run_id = ? AND key = ?

-- inputs --
-- What a run was given, in order.
SELECT seq, flow_run_id, key, value, sender, at FROM run_input
WHERE flow_run_id = ? AND seq > ? AND substr(key, 1, length(?)) = ? ORDER BY seq LIMIT ?

-- flow_runs_below --
-- A flow run and the open ones below it, each after the one that called it.
WITH RECURSIVE below (id, depth) AS (
    VALUES (?, 0)
    UNION ALL
    SELECT child.id, depth + 1 FROM below JOIN flow_run AS child ON child.parent_flow_run_id = below.id
    WHERE child.ended_at IS NULL
)
SELECT
    flow_run.id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
FROM below JOIN flow_run ON flow_run.id = below.id ORDER BY depth, flow_run.id

-- asked_to_stop --
-- Read every second by each process that works on flow runs; the index holds such rows alone.
SELECT id, state_type, state_name, json_extract(details, '$.message') FROM flow_run
WHERE owner = ? AND owner IS NOT NULL AND state_type IN ('CANCELLING', 'PAUSED')

-- unfinished_flow_runs --
-- Durable flow runs that have not come to an end of their own; the condition is that of the index.
SELECT
    id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
FROM flow_run
WHERE {where} AND state_type NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')
    AND coalesce(json_extract(details, '$.given_up'), 0) = ?
ORDER BY durable_key, id LIMIT ?

-- open_task_runs --
-- Task runs that a process left open, found by the index that leaves completed ones out: the few are sorted, not the many walked.
SELECT id, flow_run_id, name, task_name, path, state_type, state_name, created_at, started_at, ended_at, run_count, details
FROM task_run
WHERE flow_run_id = ? AND state_type <> 'COMPLETED'
    AND state_type IN ('SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', 'CANCELLING')
ORDER BY +id

-- flow_runs --
-- A page of flow runs; listing.py puts the conditions in.
SELECT
    id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
FROM flow_run WHERE {where} ORDER BY id {order} LIMIT ?

-- task_runs --
-- A page of task runs; listing.py puts the conditions in.
SELECT id, flow_run_id, name, task_name, path, state_type, state_name, created_at, started_at, ended_at, run_count, details
FROM task_run WHERE {where} ORDER BY id {order} LIMIT ?

-- events --
-- Everything that follows runs reads this with a cursor.
SELECT seq, at, kind, flow_run_id, task_run_id, payload FROM event WHERE seq > ? ORDER BY seq LIMIT ?

-- events_of_flow_run --
-- The history of one flow run and its task runs.
SELECT seq, at, kind, flow_run_id, task_run_id, payload
FROM event WHERE flow_run_id = ? AND seq > ? ORDER BY seq LIMIT ?

-- changes --
-- The history of one run, picked out of its flow run's: an index by task run would be paid for by every task.
SELECT seq, at, kind, flow_run_id, task_run_id, payload
FROM event WHERE flow_run_id IS ? AND task_run_id IS ? AND kind = ? ORDER BY seq

-- logs --
-- Lines of every run.
SELECT seq, at, level, logger, message, flow_run_id, task_run_id, extra FROM log WHERE seq > ? ORDER BY seq LIMIT ?

-- logs_of_flow_run --
-- Lines of a flow run, those of its task runs included.
SELECT seq, at, level, logger, message, flow_run_id, task_run_id, extra
FROM log WHERE flow_run_id = ? AND seq > ? ORDER BY seq LIMIT ?

-- logs_of_task_run --
-- Lines of a task run.
SELECT seq, at, level, logger, message, flow_run_id, task_run_id, extra
FROM log WHERE task_run_id = ? AND seq > ? ORDER BY seq LIMIT ?

-- logs_of_task_run_in_flow_run --
-- Lines of a task run as far as they belong to a flow run; the plus keeps the better index in use.
SELECT seq, at, level, logger, message, flow_run_id, task_run_id, extra
FROM log WHERE +flow_run_id = ? AND task_run_id = ? AND seq > ? ORDER BY seq LIMIT ?

-- checks --
-- What a flow run's checks found, in the order in which they ran.
SELECT at, payload, flow_run_id, task_run_id FROM check_result WHERE flow_run_id = ? ORDER BY seq LIMIT ?

-- result --
-- A value or where it is kept.
SELECT key, serializer, type_name, sha256, size_bytes, inline, location, created_at, expires_at
FROM result WHERE key = ?

-- delete_result --
-- The value is to be computed again.
DELETE FROM result WHERE key = ?

-- limits --
-- There are few, so nothing is left out.
SELECT name, slots, active, slot_decay_per_second, created_at, updated_at, used, used_at FROM concurrency_limit ORDER BY name

-- put_limit --
-- Writes a whole row; the caller has read it in the same transaction.
INSERT OR REPLACE INTO concurrency_limit (name, slots, active, slot_decay_per_second, created_at, updated_at, used, used_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- delete_limit --
-- From now on the name limits nothing.
DELETE FROM concurrency_limit WHERE name = ?

-- holders --
-- Of all limits, in the order in which they acquired their slots.
SELECT id, name, slots, owner, run_id, label, acquired_at FROM limit_holder ORDER BY rowid

-- holders_of_limits --
-- Of the limits in a JSON array of names, in the order in which they acquired their slots.
SELECT id, name, slots, owner, run_id, label, acquired_at
FROM limit_holder WHERE name IN (SELECT value FROM json_each(?)) ORDER BY rowid

-- put_holder --
-- One row for each limit of an acquisition.
INSERT INTO limit_holder (id, name, slots, owner, run_id, label, acquired_at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- held --
-- Which of these ids something was acquired under that is still held.
SELECT DISTINCT id FROM limit_holder WHERE id IN (VALUES (?))

-- delete_holders --
-- What was acquired under these ids is released.
DELETE FROM limit_holder WHERE id IN (VALUES (?))

-- delete_holders_of_limit --
-- Its slots are taken from whoever holds them.
DELETE FROM limit_holder WHERE name = ?

-- found_flow_runs --
-- What a search finds; search.py puts conditions and order in.
SELECT
    id, name, flow_name, state_type, state_name, state_at, created_at, started_at, ended_at, run_count,
    parent_flow_run_id, parent_task_run_id, owner, attempt, task_count, task_completed, task_failed, task_running,
    durable_key, parameters, tags, details
FROM flow_run WHERE {where} ORDER BY {terms} LIMIT ? OFFSET ?

-- found_task_runs --
-- What a search finds; search.py puts conditions and order in.
SELECT id, flow_run_id, name, task_name, path, state_type, state_name, created_at, started_at, ended_at, run_count, details
FROM task_run WHERE {where} ORDER BY {terms} LIMIT ? OFFSET ?

-- found_logs --
-- What a search finds among log lines; search.py puts the conditions in.
SELECT seq, at, level, logger, message, flow_run_id, task_run_id, extra FROM log
WHERE {where} ORDER BY seq {direction} LIMIT ? OFFSET ?

-- count --
-- How many rows a search would find; search.py puts table and conditions in.
SELECT count(*) FROM {table} WHERE {where}
