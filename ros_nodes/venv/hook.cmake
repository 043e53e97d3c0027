# Read before a package's project() ends (CMAKE_PROJECT_INCLUDE). The generator_py targets of the ROS wheels name the
# Python include folder of the machine that built them; CMake refuses a folder that does not exist. Drop such folders
# from every imported target once the package has found what it depends on.
function(figop_drop_missing_includes)
  get_property(targets DIRECTORY "${CMAKE_SOURCE_DIR}" PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(folders)
      set(kept "")
      foreach(folder IN LISTS folders)
        if(folder MATCHES "^\\$<" OR EXISTS "${folder}")
          list(APPEND kept "${folder}")
        endif()
      endforeach()
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL figop_drop_missing_includes)
