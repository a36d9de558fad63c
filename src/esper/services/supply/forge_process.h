#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/error.h"
#include "esper/services/supply/forge_folder.h"
#include "esper/services/supply/kernel_orders.h"

namespace esper::supply {

/// A child process that forges a run's orders (forge_orders) at a low priority. What goes in
/// and comes out lies in memory that both share, so neither ever waits for the other.
class ForgeProcess {
  public:
    ForgeProcess() = default;
    ~ForgeProcess();
    ForgeProcess(const ForgeProcess&) = delete;
    ForgeProcess& operator=(const ForgeProcess&) = delete;

    /// Starts `program forge --orders` with these orders. Returns why it could not, ""
    /// if it could.
    std::string start(const std::filesystem::path& program, const std::string& library,
                      const std::vector<ForgeOrder>& orders, const ForgeWishes& wishes);
    /// What it has said so far.
    std::vector<OrderOutcome> outcomes() const;
    bool is_running();

  private:
    pid_t process_ = 0;
    int said_ = -1;                    ///< what it prints
    std::optional<ForgeFolder> work_;  ///< its temporary files, which an end may come upon
};

}  // namespace esper::supply
