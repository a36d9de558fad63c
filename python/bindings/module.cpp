#include <torch/version.h>

#include "bindings.h"
#include "esper/base/text.h"
#include "esper/version.h"

namespace esper::python {

void bind_adapter(py::module_& m);  // adapter_bindings.cpp

namespace {

// EsperError(message) with .room, .name and .exit_code, so that callers need not read messages.
void bind_errors(py::module_& m) {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> type;
    type.call_once_and_store_result(
        [&] { return py::exception<EsperException>(m, "EsperError", PyExc_RuntimeError); });
    m.attr("EsperError").attr("__doc__") =
        "A failure inside Esper: `room` and `name` say which, `exit_code` what kind.";
    // pybind11 hands it over by value.
    // NOLINTNEXTLINE(performance-unnecessary-value-param)
    py::register_exception_translator([](std::exception_ptr raised) {
        try {
            if (raised) std::rethrow_exception(raised);
        } catch (const EsperException& e) {
            const auto& error = e.error();
            py::object value = type.get_stored()(error.message());
            value.attr("room") = std::string(error.room());
            value.attr("name") = std::string(error.name());
            value.attr("exit_code") = error.exit_code();
            PyErr_SetObject(type.get_stored().ptr(), value.ptr());
        }
    });
}

}  // namespace

PYBIND11_MODULE(_esper, m) {
    m.attr("__version__") = ESPER_VERSION;
    m.doc() = "Esper's C++ library as the `esper` package sees it.";
    bind_errors(m);
    m.attr("torch_version") = TORCH_VERSION;  // of the headers that this was compiled with
    m.def("glob_match", &glob_match, py::arg("pattern"), py::arg("text"));
    m.def("human_count", &human_count, py::arg("value"));
    bind_config(m);
    bind_program(m);
    bind_chain(m);
    bind_loss(m);
    bind_growth(m);
    bind_export(m);
    bind_records(m);
    bind_adapter(m);
}

}  // namespace esper::python
