#include "bindings.h"
#include "esper/configs/load.h"
#include "esper/configs/yaml.h"

namespace esper::python {

void bind_config(py::module_& m) {
    using configs::EsperConfig;
    py::class_<EsperConfig>(m, "Config", "A checked configuration; see docs/configuration.md.")
        .def("to_yaml", [](const EsperConfig& c) { return configs::to_yaml(c); })
        .def("__repr__", [](const EsperConfig& c) { return "<esper.Config " + c.run.name + ">"; })
        .def("__eq__", [](const EsperConfig& a, const EsperConfig& b) { return a == b; })
        .def_property_readonly("name", [](const EsperConfig& c) { return c.run.name; })
        .def_property_readonly("seed", [](const EsperConfig& c) { return c.run.seed; })
        .def_property_readonly("epochs", [](const EsperConfig& c) { return c.run.epochs; })
        .def_property_readonly("newborn",
                               [](const EsperConfig& c) {
                                   return std::pair(c.optimization.newborn_rate,
                                                    c.optimization.newborn_steps);
                               })
        .def_property_readonly("isolation",
                               [](const EsperConfig& c) {
                                   return std::string(contracts::to_text(c.growth.isolation));
                               })
        .def_property_readonly(
            "readout",
            [](const EsperConfig& c) { return std::string(contracts::to_text(c.growth.readout)); })
        .def(
            "with_readout",
            [](EsperConfig c, const std::string& name) {
                const auto readout = contracts::from_text<configs::Readout>(name);
                if (!readout) throw py::value_error("growth.readout knows no '" + name + "'");
                c.growth.readout = *readout;
                return c;
            },
            py::arg("name"), "The same with other first values of a seed's last layer.")
        .def_property_readonly("policy",
                               [](const EsperConfig& c) {
                                   return std::string(contracts::to_text(c.controller.policy));
                               })
        .def_property_readonly("grows", [](const EsperConfig& c) { return c.growth.enabled; })
        .def_property_readonly("measure_share",
                               [](const EsperConfig& c) { return c.growth.measure_share; })
        .def_property_readonly(
            "window", [](const EsperConfig& c) { return std::pair(c.growth.start, c.growth.stop); })
        .def_property_readonly("gate",
                               [](const EsperConfig& c) {
                                   const auto& g = c.growth.gate;
                                   return std::tuple(g.delta, g.min_examples, g.rent,
                                                     g.rent_parameters);
                               })
        .def_property_readonly("freeze_fossilized",
                               [](const EsperConfig& c) { return c.growth.freeze_fossilized; });
    m.def(
        "load_config",
        [](const std::string& path, const std::vector<std::string>& overrides,
           const std::string& profile, bool environment) {
            configs::LoadOptions options{path, profile, overrides, {}};
            if (environment) options.env = configs::process_environment();
            return unwrap(configs::load_config(options));
        },
        py::arg("path") = "", py::arg("overrides") = std::vector<std::string>{},
        py::arg("profile") = "", py::arg("environment") = true);
}

}  // namespace esper::python
