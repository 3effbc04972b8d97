"""How much each fault of severity 1 changes the machine. Gustbed's own: no published figures."""

MISALIGNED_DEG = 25.0
WEAR_FRICTION = 0.0003
"""Friction of a worn bearing over rated torque."""
DIP_DEPTH = 0.95
LEAK_BAR, PRESSURE_BAR, PITCH_BAR = 130.0, 200.0, 160.0
"""Below the last, the pitch slows down in proportion."""
SLOWEST_PITCH = 0.95
"""Share of its rate that a slow pitch actuator loses."""
IMBALANCE_SOUND, IMBALANCE_FAULT, IMBALANCE_ICE = 0.01, 0.25, 0.12
"""Side-side acceleration (m/s²) per rotor speed squared (rad²/s²)."""
BEARING_K, OIL_K, WINDING_K, HYDRAULIC_K = 40.0, 12.0, 60.0, 25.0
"""What faults of severity 1 add at full load or speed."""
VIBRATION, VIBRATION_LOAD, VIBRATION_WEAR, VIBRATION_BEARING = 0.6, 1.8, 6.0, 4.0
"""Root mean square (mm/s) at full speed: sound, at full load, and what faults add."""
