"""PyTorch: an ``nn.Module``, read one aten operator after the other."""

LIBRARY = "torch"


def base(model: object) -> type | None:
    """The class of PyTorch's that a model is an instance of, if there is one."""
    from torch import nn

    return nn.Module if isinstance(model, nn.Module) else None
