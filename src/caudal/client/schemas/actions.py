"""What limits are made and changed from."""

from caudal.model.limit_views import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
)

__all__ = ["GlobalConcurrencyLimitCreate", "GlobalConcurrencyLimitUpdate"]
