"""What is heard on the wire: ``listen`` hears, ``census`` counts, the other modules judge, each one thing."""
