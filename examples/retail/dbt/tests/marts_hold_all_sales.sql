-- No cent is lost or doubled between the validated rows and the marts.
with validated as (
    select sum(sales_value::decimal(12, 2)) as sales from {{ source('validated', 'transactions') }}
),

by_department as (
    select sum(sales) as sales from {{ ref('sales_by_store_department_week') }}
),

by_ticket as (
    select sum(sales) as sales from {{ ref('tickets') }}
)

select *
from validated, by_department, by_ticket
where validated.sales <> by_department.sales or validated.sales <> by_ticket.sales
