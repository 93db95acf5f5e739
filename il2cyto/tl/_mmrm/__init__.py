"""The mixed model for repeated measures; public names are those of `il2cyto.tl`."""
