from . import tool_call, tool_policy, usage

__all__ = ["tool_call", "tool_policy", "usage"]
