#pragma once

#include "esper/services/tolaria/run/trainer.h"

namespace esper::tolaria {

struct TrainerTestAccess {
    static Status take_out(Trainer& trainer, std::uint32_t slot, const Error& error) {
        return trainer.take_out({slot}, error);
    }
    static const Learner& learner(Trainer& trainer) { return trainer.learner_; }
    static const RollbackHistory& history(Trainer& trainer) { return trainer.history_; }
};

}  // namespace esper::tolaria
