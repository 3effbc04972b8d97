"""What crosses a process boundary in Gustbed. Depends on nothing else of ours.

Modules whose imports stay within the standard library, so that Lambda functions
can carry them: ``errors``, ``topics``, ``violations``, ``jobs``, ``events``.
"""
