#include "bindings.h"
#include "esper/services/records/report_data.h"

namespace esper::python {

void bind_records(py::module_& m) {
    m.def(
        "write_report",
        [](const std::string& folder, const std::string& file) {
            unwrap(records::write_report(folder, file));
        },
        py::arg("folder"), py::arg("file"), py::call_guard<py::gil_scoped_release>());
}

}  // namespace esper::python
