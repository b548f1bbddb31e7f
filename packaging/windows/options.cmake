# How our own code is compiled and linked for Windows; included by the main CMakeLists.txt with the toolchain file here.
enable_language(RC)

# Windows Server 2008 R2 is the floor; printf as C99 has it; no path of the build machine in what __FILE__ says.
add_compile_definitions(_WIN32_WINNT=0x0601 __USE_MINGW_ANSI_STDIO=1)
add_compile_options(-fstack-protector-strong -ffile-prefix-map=${CMAKE_SOURCE_DIR}=umx
                    -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
# Nothing of mingw or of C++ to ship; not executable data, addresses of load that cannot be guessed, no symbols.
add_link_options(-static -static-libgcc -fstack-protector-strong -Wl,--nxcompat -Wl,--dynamicbase -Wl,--high-entropy-va -s)

# The icon is drawn, and the texts of the agent's events are compiled, when they are needed.
set(UMX_ICON ${CMAKE_BINARY_DIR}/umx.ico)
add_custom_command(OUTPUT ${UMX_ICON}
  COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/packaging/windows/icon ${UMX_ICON}
  DEPENDS ${CMAKE_SOURCE_DIR}/packaging/windows/icon VERBATIM)
find_program(WINDMC x86_64-w64-mingw32-windmc REQUIRED)
set(UMX_EVENTS ${CMAKE_BINARY_DIR}/events.rc)
add_custom_command(OUTPUT ${UMX_EVENTS}
  COMMAND ${WINDMC} -h ${CMAKE_BINARY_DIR} -r ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR}/packaging/windows/events.mc
  DEPENDS ${CMAKE_SOURCE_DIR}/packaging/windows/events.mc VERBATIM)

# The version resource and the manifest of a program or library; more: lines of other resources.
function(umx_windows_resource name file description more)
  set(UMX_MORE ${more})
  set(UMX_FILE ${file})
  set(UMX_DESCRIPTION ${description})
  configure_file(${CMAKE_SOURCE_DIR}/packaging/windows/version.rc.in ${CMAKE_BINARY_DIR}/${name}.rc @ONLY)
  configure_file(${CMAKE_SOURCE_DIR}/packaging/windows/umx.manifest ${CMAKE_BINARY_DIR}/umx.manifest COPYONLY)
  target_sources(${name} PRIVATE ${CMAKE_BINARY_DIR}/${name}.rc)
endfunction()

function(umx_windows_program name)
  if(name STREQUAL umx-agent)
    umx_windows_resource(${name} ${name}.exe "umx agent: reports what an Exchange or Lync server is and does"
                         "1 ICON \"umx.ico\"\n#include \"events.rc\"")
    set_source_files_properties(${CMAKE_BINARY_DIR}/${name}.rc PROPERTIES OBJECT_DEPENDS "${UMX_ICON};${UMX_EVENTS}")
  else()
    umx_windows_resource(${name} ${name}.exe "umx: the command line of operators" "1 ICON \"umx.ico\"")
    set_source_files_properties(${CMAKE_BINARY_DIR}/${name}.rc PROPERTIES OBJECT_DEPENDS ${UMX_ICON})
  endif()
endfunction()

# The exports of a version script, as a definition file.
function(umx_windows_library name map)
  file(STRINGS ${CMAKE_SOURCE_DIR}/${map} exports REGEX "^ *umx_[a-z_]*;")
  list(TRANSFORM exports REPLACE "[ ;]" "")
  list(JOIN exports "\n" exports)
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.def "EXPORTS\n${exports}\n")
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${map})
  target_sources(${name} PRIVATE ${CMAKE_BINARY_DIR}/${name}.def)
  umx_windows_resource(${name} libumx.dll "umx: the client library" "")
  # Beside the programs, by the same name everywhere.
  set_target_properties(${name} PROPERTIES PREFIX lib)
endfunction()
