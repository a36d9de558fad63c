#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/temporary_folder.h"

namespace esper::nissa {

inline void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}
inline void append(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::app) << text;
}

/// A folder with what Nissa reads of a run.
inline std::filesystem::path make_run(const std::filesystem::path& folder,
                                      const std::string& status = "done") {
    std::filesystem::create_directories(folder);
    write(folder / "run.json", R"({"status":")" + status + R"(","name":"small","epochs":2,)" +
                                   R"("steps":20,"val_loss":1.5,"rollbacks":0})");
    write(folder / "metrics.csv", "epoch,step,train_loss,val_loss\n1,10,2.5,2.25\n2,20,2,1.5\n");
    write(folder / "events.jsonl",
          "{\"event\":\"checkpoint\",\"step\":20,\"epoch\":2,\"kind\":\"best\",\"file\":\"a\"}\n");
    write(folder / "config.yaml",
          "run:\n  name: small\noptimization:\n  learning_rate: 0.002\n  betas: [0.9, 0.95]\n");
    return folder;
}

/// A real run of the repository's, copied.
inline std::filesystem::path copy_real_run(const std::filesystem::path& to) {
    std::filesystem::copy(std::filesystem::path(ESPER_SOURCE_DIR) / "tests/fixtures/run-v1", to,
                          std::filesystem::copy_options::recursive);
    return to;
}

}  // namespace esper::nissa
