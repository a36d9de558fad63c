"""Runs a Trainer in the kernel of a notebook and prints the HTML that a reader sees at its end."""

from jupyter_client.manager import start_new_kernel

CELL = """
import torch, torch.nn.functional as F, esper
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Linear(6, 6), torch.nn.Linear(6, 6))
batches = [(x, 2 * x.abs() - x) for x in torch.randn(16, 32, 6)]
esper.Trainer(model, F.mse_loss, torch.optim.Adam(model.parameters(), lr=0.01), train=batches[:10],
              validation=batches[10:12], probe=batches[12:], epochs=4,
              overrides=["growth.start=0", "controller.policy=periodic", "growth.training=1ep",
                         "growth.graft_steps=4"]).fit()
"""

manager, client = start_new_kernel(kernel_name="python3")
shown = {}
try:
    client.execute(CELL)
    while True:
        message = client.get_iopub_msg(timeout=120)
        content = message["content"]
        if message["msg_type"] in ("display_data", "update_display_data"):
            shown[content["transient"]["display_id"]] = content["data"]
        elif message["msg_type"] == "error":
            raise SystemExit("\n".join(content["traceback"]))
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            break
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
(data,) = shown.values()
print(data["text/html"])
print(data["text/plain"])
