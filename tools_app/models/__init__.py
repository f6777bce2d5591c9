from .tool_call import ToolCall
from .tool_policy import ToolPolicy

__all__ = ["ToolCall", "ToolPolicy"]
