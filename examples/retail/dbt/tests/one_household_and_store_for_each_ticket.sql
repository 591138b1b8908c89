-- A ticket is one visit: all its lines are of one household, in one store, at one time.
select basket_id
from {{ ref('stg_transactions') }}
group by basket_id
having
    count(distinct household_id) > 1
    or count(distinct store_id) > 1
    or count(distinct sold_at) > 1
