# Unit tests that run under Wine by ctest (label `wine`, packaging/windows/wine): those of the host layer and the service,
# and of all that the agent, libumx and umx are made of that needs nothing of POSIX. Included by the main CMakeLists.txt.
enable_testing()
find_library(CMOCKA cmocka REQUIRED)
set(WINDOWS_TESTS
  test_windows_access test_windows_event test_windows_garbage test_windows_host test_windows_password test_windows_paths
  test_windows_policy test_windows_service test_windows_shell test_windows_updater test_event
  test_action_limit test_arena test_error test_exum test_reflect test_registry test_shell_text test_spool test_statement
  test_text test_token test_cli_args
  test_certificates test_dial_plan_security test_dial_plans test_enterprise_voice test_exchucutil test_exchucutil_plan
  test_forests test_groups test_index test_lync_dial_plans test_normalize test_ocsumutil test_order test_phases
  test_records test_shell test_sip_addresses test_um_mailboxes test_um_servers)
foreach(name IN LISTS WINDOWS_TESTS)
  add_executable(${name} tests/unit/${name}.c)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${name} PRIVATE UMX_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE umx_warnings umx_agent_core umx_cli ${CMOCKA})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS wine)
endforeach()
# One service manager, one registry and one store serve the prefix: what changes them has it alone.
set_tests_properties(test_windows_host test_windows_service test_windows_policy test_windows_garbage
  PROPERTIES RESOURCE_LOCK services)
target_link_options(test_windows_host PRIVATE
  -Wl,--wrap=__imp_OpenProcess -Wl,--wrap=__imp_EnumDependentServicesW)
target_link_options(test_windows_shell PRIVATE -Wl,--wrap=__imp_CreateProcessW)
target_link_options(test_windows_service PRIVATE -Wl,--wrap=__imp_ChangeServiceConfig2W)
target_link_options(test_windows_paths PRIVATE -Wl,--wrap=__imp_SetNamedSecurityInfoW)
foreach(name test_windows_access test_windows_updater)
  target_link_options(${name} PRIVATE -Wl,--wrap=__imp_GetFileInformationByHandle)
endforeach()
# The texts of its events are in the agent itself.
target_compile_definitions(test_windows_event PRIVATE UMX_AGENT_PROGRAM="Z:$<TARGET_FILE:umx-agent>")
add_dependencies(test_windows_event umx-agent)
add_test(NAME inspect COMMAND ${CMAKE_SOURCE_DIR}/packaging/windows/inspect ${CMAKE_BINARY_DIR}/bin)
# What tests/wine runs.
add_executable(cycles tests/wine/cycles.c)
set_target_properties(cycles PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(cycles PRIVATE umx_warnings umx_agent_core psapi)
