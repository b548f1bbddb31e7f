# What gRPC core's CMake has no switches for, without a change of its source. GRPC_NO_XDS and GRPC_NO_RLS (set by the
# superbuild) are its own; the files that nothing needs then are left out, and a precompiled header halves the rest.
function(umx_trim)
  get_target_property(sources grpc SOURCES)
  list(FILTER sources EXCLUDE REGEX
    "upbdefs-generated|upb-generated/(envoy|udpa|opencensus|google/api|xds/(annotations|core|type))/")
  list(FILTER sources EXCLUDE REGEX "ext/xds/|(lb_policy|resolver|credentials)/xds/|filters/rbac/|lb_policy/rls/|google_c2p")
  list(FILTER sources EXCLUDE REGEX "lib/matchers/|security/authorization/(rbac_policy|matchers|grpc_authorization_engine)")
  set_target_properties(grpc PROPERTIES SOURCES "${sources}")
  target_precompile_headers(grpc PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:${CMAKE_CURRENT_FUNCTION_LIST_DIR}/precompiled.h>")
endfunction()
cmake_language(DEFER CALL umx_trim)
