-- One row for each household that a campaign was sent to.
select
    campaign_id,
    household_id
from {{ source('validated', 'campaigns') }}
