-- The mart's grain.
select
    store_id,
    department,
    week
from {{ ref('sales_by_store_department_week') }}
group by store_id, department, week
having count(*) > 1
