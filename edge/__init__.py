"""figop's on-device runtime: watch hands, keep a motion score of every finger, speak it.

Data flows one way: sources -> hands -> figop -> encoder -> gestures/captions -> sinks.
Nothing in this package imports torch, mediapipe (except its optional backend), `export` or `quant`.
"""

__version__ = "0.1.0"
