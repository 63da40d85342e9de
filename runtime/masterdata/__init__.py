"""What codes mean: records of a client's items, suppliers and locations, by their own or another system's code."""

from runtime.masterdata.records import MasterData, MasterDataError

__all__ = ["MasterData", "MasterDataError"]
