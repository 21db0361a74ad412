"""Configuration: TOML in, typed and checked options out.

Rules of this room:

1. Everything that is wrong is collected; each ``Finding`` says where, why and what to do. Nothing else is ever raised
   for what a file contains.
2. One table (``schema``) gives validation, suggestions and the reference document.
3. Profiles are data: they give defaults and ranges to the same checks that a site file goes through.
4. Nothing here opens a network socket or touches a clock. What the machine has (interfaces, devices) is asked in
   ``machine`` only, and only on request.
"""
