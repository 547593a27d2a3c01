"""Messages to people: what is said, where it goes, and how often."""

from cellos_nb.operations.notifications.channel import Channel
from cellos_nb.operations.notifications.delivery import Delivery, ServiceOutcome
from cellos_nb.operations.notifications.message import Level, Message
from cellos_nb.operations.notifications.outbox import Outbox
from cellos_nb.operations.notifications.send import send
from cellos_nb.operations.notifications.settings import MessageSettings

__all__ = ["Channel", "Delivery", "Level", "Message", "MessageSettings", "Outbox", "ServiceOutcome", "send"]
