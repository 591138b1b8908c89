-- Quantity times unit price, less the store's own discounts, is what the store received: to the cent, on every line.
select *
from {{ ref('stg_transactions') }}
where total - discount <> sales
