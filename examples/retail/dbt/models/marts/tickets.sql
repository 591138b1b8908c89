-- One row for each ticket: a household's visit to a store. A test says that a ticket has one of each; were there two,
-- the lesser would be shown, every time.
{% set limits = var('ticket_size_limits') %}

select
    basket_id,
    min(household_id) as household_id,
    min(store_id) as store_id,
    min(week) as week,
    min(sold_on) as sold_on,
    min(month) as month,
    min(weekday) as weekday,
    count(*) as line_count,
    sum(total)::decimal(14, 2) as total,
    sum(discount)::decimal(14, 2) as discount,
    sum(sales)::decimal(14, 2) as sales,
    case
        when sum(sales) < {{ limits[0] }} then 'low'
        when sum(sales) < {{ limits[1] }} then 'medium'
        when sum(sales) < {{ limits[2] }} then 'high'
        else 'very high'
    end as ticket_size
from {{ ref('stg_transactions') }}
group by basket_id
order by 1
