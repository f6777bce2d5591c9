from .confirmation import Confirmation
from .tool_call import ToolCall
from .tool_policy import ToolPolicy

__all__ = ["Confirmation", "ToolCall", "ToolPolicy"]
