"""Every reaction to a published event, in the order in which they run."""

from __future__ import annotations

from typing import Final

from app.events.reactions import Reaction
from app.services.wallets.completion import COMPLETION
from app.services.webhooks.publication import DELIVERIES

REACTIONS: Final[tuple[Reaction, ...]] = (COMPLETION, DELIVERIES)
