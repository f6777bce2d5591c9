"""The REST API below `/api/`: what a caller does about his own account without an MCP client.

    edge → authenticate → throttle → (the view: strict in what it takes, one shape in what goes wrong)

What the views need is decided here once, as the defaults of `project/rest.py`; another app's views derive from
`view.ApiView`, and get the same.
"""
