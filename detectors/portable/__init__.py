"""State that can be carried elsewhere: series by series, without places that hold in one shard only.

A shard's state is arrays in which series refer to each other's neighbours by place, and to sources by number. Here it is taken apart into one
`Portable` a follower and what the shard knows by itself (`Standing`), and put together again for any number of shards.
"""
