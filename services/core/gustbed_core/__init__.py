"""What every part of Gustbed shares. Depends on nothing else of ours.

- contracts: ``topics``, ``telemetry``, ``events``, ``commands``, ``turbine_state``, ``capture``,
  ``jobs``, ``package``, ``drift``, ``edge_http``, ``legacy``; written and read by ``codec``
- turbine types: ``turbine_types`` (a YAML file each in ``types/``), ``signals``, ``features``,
  ``event_kinds``, ``aggregates``
- decisions: from a model's ratios to events, for the edge and for training
- means: ``settings``, ``naming``, ``mqtt``, ``web_origin``, ``worker``, ``plugins``, ``errors``

Modules whose imports stay within the standard library, so that Lambda functions can carry them:
``errors``, ``topics``, ``event_kinds``, ``jobs``.
"""
