"""The operator's view of a site and its models.

Imports point one way: ``views`` (the pages) → ``components`` (fragments and charts) → ``site``
(the live state) and ``cloud`` (registry, rollouts, drift reports) → ``formatting`` and ``labels``
→ ``gustbed_core``. Only ``cloud`` imports ``gustbed_cloud``.
"""
