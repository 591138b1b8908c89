-- What each department of each store sold in each week.
with days as (

    select
        min(sold_on) as first_day,
        max(sold_on) as last_day
    from {{ ref('stg_transactions') }}

)

select
    transactions.store_id,
    products.department,
    transactions.week,
    transactions.week_start,
    transactions.week_start >= min(days.first_day)
    and transactions.week_start + interval 6 day <= min(days.last_day) as is_full_week,
    count(*) as line_count,
    count(distinct transactions.basket_id) as ticket_count,
    count(distinct transactions.household_id) as household_count,
    sum(transactions.total)::decimal(14, 2) as total,
    sum(transactions.discount)::decimal(14, 2) as discount,
    sum(transactions.sales)::decimal(14, 2) as sales
from {{ ref('stg_transactions') }} as transactions
inner join {{ ref('stg_products') }} as products
    on transactions.product_id = products.product_id
cross join days
group by
    transactions.store_id,
    products.department,
    transactions.week,
    transactions.week_start
order by 1, 2, 3
