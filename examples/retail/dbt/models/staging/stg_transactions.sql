-- One row for each product on a ticket, with what it cost in exact cents.
-- A table, because every mart reads it.
{{ config(materialized='table') }}

with cents as (

    select
        basket_id,
        household_id,
        store_id,
        product_id,
        week,
        quantity,
        timezone('{{ var("time_zone") }}', timezone('UTC', transaction_timestamp)) as sold_at,
        sales_value::decimal(12, 2) as sales,
        retail_disc::decimal(12, 2) as retail_discount,
        coupon_disc::decimal(12, 2) as coupon_discount,
        coupon_match_disc::decimal(12, 2) as coupon_match_discount
    from {{ source('validated', 'transactions') }}

),

priced as (

    select
        *,
        -- What the shelf said for one unit: what the store received, and what it took off itself.
        (sales + retail_discount + coupon_match_discount)::double / quantity as unit_price
    from cents

)

select
    basket_id,
    household_id,
    store_id,
    product_id,
    week,
    date_trunc('week', sold_at)::date as week_start,
    sold_at,
    sold_at::date as sold_on,
    strftime(sold_at, '%Y-%m') as month,
    strftime(sold_at, '%A') as weekday,
    quantity,
    unit_price,
    (quantity * unit_price)::decimal(12, 2) as total,
    retail_discount,
    coupon_discount,
    coupon_match_discount,
    retail_discount + coupon_match_discount as discount,
    sales
from priced
