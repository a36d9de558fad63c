#pragma once

#include <memory>
#include <string>
#include <vector>

#include "esper/blueprints/catalogue.h"
#include "esper/configs/growth.h"
#include "esper/execution/kasmina/kasmina_layer.h"

namespace esper::tolaria {

/// Where seeds may live in a host: the slots with their shares of the features, and Kasmina, who
/// owns the Program that the host has become.
class SeedPlaces {
  public:
    /// `host` must already be in the store. Errors: kUnsupported when no anchor fits
    /// growth.anchors.
    static Result<std::unique_ptr<SeedPlaces>> find(const configs::GrowthConfig& growth,
                                                    const graph::ProgramPtr& host,
                                                    graph::TensorStore& store);

    /// Takes over the anchors that `program` has and the host had not: slots are added for them, in
    /// the order of `anchors` where a checkpoint names them. Errors: those of growth_places(),
    /// kUnsupported where `anchors` names others.
    Status extend(const configs::GrowthConfig& growth, const graph::ProgramPtr& program,
                  const std::vector<std::string>& anchors = {});

    execution::KasminaLayer& kasmina() { return kasmina_; }
    const execution::KasminaLayer& kasmina() const { return kasmina_; }
    const graph::ProgramPtr& program() const { return kasmina_.program(); }
    const std::vector<execution::SeedSlot>& slots() const { return kasmina_.slots(); }
    execution::SeedState state(std::uint32_t slot) const { return kasmina_.state(slot); }
    const blueprints::Chunk& chunk(std::uint32_t slot) const { return chunks_.at(slot); }
    graph::TensorStore& store() const { return store_; }

    /// A blueprint of that name, sized for the slot's anchor and chunk.
    Result<blueprints::Blueprint> blueprint_for(std::uint32_t slot, const std::string& name) const;
    /// The same where the type of the anchor's value is known.
    Result<blueprints::Blueprint> blueprint_of(graph::TensorType type, std::uint32_t slot,
                                               const std::string& name) const;

  private:
    SeedPlaces(const graph::ProgramPtr& host, std::vector<std::string> anchors,
               std::vector<blueprints::Chunk> chunks, graph::TensorStore& store)
        : kasmina_(host, std::move(anchors), store), chunks_(std::move(chunks)), store_(store) {}

    execution::KasminaLayer kasmina_;
    std::vector<blueprints::Chunk> chunks_;  ///< by slot
    graph::TensorStore& store_;
};

}  // namespace esper::tolaria
