from .confirmation import Confirmation
from .hour import HourOfName, HourOfUser
from .tool_call import ToolCall
from .tool_policy import ToolPolicy

__all__ = ["Confirmation", "HourOfName", "HourOfUser", "ToolCall", "ToolPolicy"]
