from . import tool_call, tool_policy

__all__ = ["tool_call", "tool_policy"]
