from edge.objects.event import GRASPS as GRASPS
SHAPES = ("ball", "cylinder", "box", "stick", "flat", "none")
