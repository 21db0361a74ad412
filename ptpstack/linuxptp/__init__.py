"""linuxptp's files and options: read with their meaning, turned into sites of ours and back, judged.

1. ``keys.toml`` is the table of all configuration keys; code knows no key by itself that the table can describe.
2. What linuxptp accepts is accepted and what it refuses is refused, by observation of Debian's 3.1.1; what it accepts
   and nobody means is a finding of ``lint``.
3. Nothing is dropped in silence: each setting ends as kept, different, not applicable or refused, with its reason.
"""
