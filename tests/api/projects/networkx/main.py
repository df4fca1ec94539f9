import networkx as nx

graph = nx.karate_club_graph()
print(nx.shortest_path(graph, 0, 33), nx.diameter(graph), round(nx.average_clustering(graph), 9))
print(sorted(map(sorted, nx.community.greedy_modularity_communities(graph))))
print(nx.is_isomorphic(nx.petersen_graph(), nx.kneser_graph(5, 2)))
