"""What can be wrong in the files of a flow or a pack, one module per subject; ``runtime.model.lint`` runs them."""
