"""A servo that learns the noise it sees.

1. Sync and Delay_Req are never combined into an "offset sample". Each is an observation of its own of the same
   unknowns: forward = phase + delay, reverse = -phase + delay. A path that grows in both directions moves the delay; a
   clock that moves shows opposite signs.
2. The filter follows the clock as it would run by itself. What our own commands put into it is booked apart
   (``ledger``), so that neither a command nor a step is ever news to the filter.
3. Queueing only ever delays. The delay is the *floor* of the path, and an observation counts by the likelihood of
   "Gaussian blur + exponential wait" (``likelihood``).
4. What is not known is not tuned but voted: several hypotheses see the same packets, and the one that predicts them
   better becomes the chosen one (``panel``).
5. A packet that does not fit is set aside; only a run of them is explained (``misfits``; ``floors`` and ``physics``
   look at those that fit), and each explanation says why (``verdict``).
6. The clock is driven so that the estimate becomes zero quickly, with a cap (``control``); the estimate's own variance
   is the bound (``bound``).

``servo`` is the door: what is done about the clock. ``filter`` is what is believed of it, ``memory`` what outlives
that.

Units: ns, s, ppb (= ns/s). phase = this clock - its master.
"""
