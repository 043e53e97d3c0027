from glob import glob

from setuptools import setup

setup(
    name="figop_bringup",
    version="0.1.0",
    packages=[],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/figop_bringup"]),
        ("share/figop_bringup", ["package.xml"]),
        ("share/figop_bringup/launch", sorted(glob("launch/*.py"))),
        ("share/figop_bringup/config", sorted(glob("config/*.*"))),
        ("share/figop_bringup/rviz", sorted(glob("rviz/*.rviz"))),
    ],
    zip_safe=True,
    description="Launch files of figop",
    license="Apache-2.0",
)
