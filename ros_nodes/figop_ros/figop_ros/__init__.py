"""figop for ROS 2: lifecycle nodes around `edge.pipeline.Captioner` (Humble, Jazzy, Kilted; plain rclpy)."""
