#pragma once

namespace CLI {
class App;
}

namespace esper::cli {

/// `esper urza work ls|retry`: the jobs of the library's workers.
void add_urza_work(CLI::App& urza, int& exit_code);

}  // namespace esper::cli
