"""From one-way observations to an estimate with a bound, and to frequency and phase commands."""
