#pragma once
// The Python face of the C++ library. Converts arguments and results, raises errors; decides
// nothing.

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "esper/base/error.h"
#include "esper/program/program.h"

namespace esper::python {

namespace py = pybind11;

/// A Program by value, so that pybind11 needs no holder of const objects.
struct ProgramHandle {
    graph::ProgramPtr program;
};

/// The value, or the error as Python's `esper.EsperError`.
template <typename T>
T unwrap(Result<T> result) {
    return value_or_throw(std::move(result));
}

void bind_config(py::module_& m);
void bind_program(py::module_& m);
void bind_chain(py::module_& m);
void bind_loss(py::module_& m);
void bind_growth(py::module_& m);
void bind_export(py::module_& m);
void bind_records(py::module_& m);

}  // namespace esper::python
