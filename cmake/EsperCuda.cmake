# nvcc, where there is one: the GPU twins of execution/cuda are built then (ESPER_CUDA=OFF leaves
# them out). They are left out of sanitized and coverage builds, whose flags nvcc does not know.
# CMake's own CUDA language is not used: its 3.25 does not know C++20 for newer toolkits.
option(ESPER_CUDA "build the CUDA twins where nvcc is found" ON)
set(ESPER_HAS_CUDA OFF)
if(ESPER_CUDA AND NOT ESPER_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "coverage")
  find_program(ESPER_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(ESPER_NVCC)
    file(REAL_PATH ${ESPER_NVCC} nvcc)
    get_filename_component(toolkit ${nvcc} DIRECTORY)
    get_filename_component(toolkit ${toolkit} DIRECTORY)
    find_library(ESPER_CUDART cudart_static HINTS ${toolkit} /usr/local/cuda
      PATH_SUFFIXES lib64 targets/x86_64-linux/lib)
    find_path(ESPER_CUDA_INCLUDE cuda_runtime.h HINTS ${toolkit} /usr/local/cuda
      PATH_SUFFIXES include targets/x86_64-linux/include)
    if(ESPER_CUDART AND ESPER_CUDA_INCLUDE)
      set(ESPER_HAS_CUDA ON)
    endif()
  endif()
endif()

# esper_cuda_objects(OUT SOURCE...): objects of .cu files. No products are fused into sums but those
# written as such: the CPU's bits are wanted.
function(esper_cuda_objects out)
  set(objects)
  foreach(source ${ARGN})
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/cuda/${name}.o)
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/cuda
      COMMAND ${ESPER_NVCC} -std=c++20 -O3 -arch=compute_80 -code=compute_80
        --expt-relaxed-constexpr --fmad=false -Xcompiler=-Wall,-Wextra,-Werror,-fPIC
        -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_SOURCE_DIR}/include -MD -MF ${object}.d
        -c ${source} -o ${object}
      COMMENT "nvcc ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()
