#include "esper/services/tolaria/host/begun_host.h"

#include <algorithm>

namespace esper::tolaria {

namespace {

/// The Program with the first values of another, where both have the same parameters in the same
/// order; null where they have not.
graph::ProgramPtr with_values_of(const graph::Program& program, const graph::Program& other) {
    if (program.parameters().size() != other.parameters().size()) return nullptr;
    const auto list = [](auto items) { return std::vector(items.begin(), items.end()); };
    graph::Program::Parts parts{
        program.name(),          list(program.inputs()),   list(program.parameters()),
        list(program.buffers()), list(program.controls()), list(program.instructions()),
        list(program.outputs()), list(program.anchors()),  program.value_count()};
    for (std::size_t i = 0; i < parts.parameters.size(); ++i)
        parts.parameters[i].init = other.parameters()[i].init;
    const auto made = graph::Program::make(std::move(parts));
    return made ? *made : nullptr;
}

}  // namespace

graph::ProgramPtr as_begun(const graph::ProgramPtr& host, const graph::ProgramPtr& begun) {
    const auto same = with_values_of(*host, *begun);
    return same && same->hash() == begun->hash() ? begun : host;
}

}  // namespace esper::tolaria
