"""What the gate tells: people at a terminal, CI systems in their formats. In: judged pairs. Out: texts."""
