"""Django's PostgreSQL backend, and what it lacks: nobody waits for a database that does not answer.

A server that hangs keeps its connections, and its kernel acknowledges what is sent to it: no timeout of TCP's nor
of the server's own (`statement_timeout`) ends that wait.
"""
